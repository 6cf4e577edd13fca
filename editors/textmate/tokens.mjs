// Reads a JSON string a line from standard input, a .jet text, and answers each with a line: the tokens that VS Code's own
// engine finds by the TextMate grammar, as [start, end, scope, ...], in code points of the text.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import oniguruma from "vscode-oniguruma";
import textmate from "vscode-textmate";

const wasm = createRequire(import.meta.url).resolve("vscode-oniguruma/release/onig.wasm");
const path = new URL("../vscode/syntaxes/jet.tmLanguage.json", import.meta.url);
await oniguruma.loadWASM(readFileSync(wasm).buffer);
const registry = new textmate.Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () => textmate.parseRawGrammar(readFileSync(path, "utf8"), path.pathname),
});
const grammar = await registry.loadGrammar("source.jet");

function tokens(text) {
  const found = [];
  let stack = textmate.INITIAL;
  let offset = 0;
  for (const line of text.split("\n")) {
    const result = grammar.tokenizeLine(line, stack);
    const points = (index) => offset + [...line.slice(0, index)].length;
    for (const token of result.tokens) found.push([points(token.startIndex), points(token.endIndex), ...token.scopes]);
    stack = result.ruleStack;
    offset = points(line.length) + 1;
  }
  return found;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(tokens(JSON.parse(line))) + "\n");
}
