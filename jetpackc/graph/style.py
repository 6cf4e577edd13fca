"""How a drawing looks: one sheet, in light and dark, inside of a file or beside a page."""

STYLE = """\
.jet { --paper: #ffffff; --box: #f6f8fa; --line: #57606a; --text: #1f2328; --soft: #57606a; --group: #8c959f;
  --queue: #0969da; --work: #1a7f37; --failure: #cf222e; }
@media (prefers-color-scheme: dark) {
  .jet { --paper: #0d1117; --box: #161b22; --line: #9198a1; --text: #f0f6fc; --soft: #9198a1; --group: #656c76;
    --queue: #4493f8; --work: #3fb950; --failure: #f85149; }
}
.jet text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 11px;
  fill: var(--text); white-space: pre; }
.jet .paper { fill: var(--paper); }
.jet .title { font-size: 13px; font-weight: 600; }
.jet .line, .jet .label { fill: var(--soft); }
.jet .label { text-anchor: middle; paint-order: stroke; stroke: var(--paper); stroke-width: 4px;
  stroke-linejoin: round; }
.jet .box { fill: var(--box); stroke: var(--line); stroke-width: 1.2px; }
.jet .inner { fill: none; stroke: var(--line); }
.jet .composite > .box { fill: var(--group); fill-opacity: 0.08; stroke: var(--group); }
.jet .queue > .box { stroke: var(--queue); }
.jet .work > .box { stroke: var(--work); stroke-width: 2px; }
.jet .failure > .box, .jet .failure > .inner { stroke: var(--failure); }
.jet .failure > .title { fill: var(--failure); }
.jet .any > .box, .jet .machine > .box { stroke-dasharray: 4 3; fill: none; }
.jet .any > .title, .jet .machine > .title { font-size: 11px; font-weight: 400; }
.jet .mark { fill: none; stroke: var(--text); stroke-width: 1.4px; }
.jet .dot { fill: var(--text); }
.jet .failure > .mark { stroke: var(--failure); }
.jet .curve { fill: none; stroke: var(--line); stroke-width: 1.2px; }
.jet .head { fill: var(--line); }
.jet .spawn > .curve { stroke-dasharray: 5 4; }
.jet .send > .curve { stroke-dasharray: 1 4; stroke-width: 1.6px; stroke-linecap: round; }
.jet .send > .head { fill: var(--paper); stroke: var(--line); }
.jet .name { font-size: 15px; font-weight: 600; }
"""
