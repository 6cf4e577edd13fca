// How the bench speaks with a contestant in JavaScript: `node contestant FOLDER COMMAND …`; protocol.py tells the rest.
// FOLDER is where its packages are installed.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { createRequire } from "node:module";

export const DSN = process.env.BENCH_DSN;
export const STEPS = 3;
const SLOT = 16, SLOTS = 16;
const [folder, command, ...words] = process.argv.slice(2);
const FLUSH = 4; // milliseconds

/** A package of this contestant. */
export async function load(name) {
  return import(createRequire(path.join(folder, "/")).resolve(name));
}

const now = () => (performance.timeOrigin + performance.now()) / 1000;
const open = (name) => {
  const file = path.join(process.env.BENCH_FOLDER, name);
  return fs.existsSync(file) ? fs.openSync(file, "r+") : -1;
};

/** The shared files. Node has no shared memory over a file: what is counted here is written every few milliseconds. */
class Board {
  constructor() {
    this.slot = Number(process.env.BENCH_SLOT || 0);
    this.progress = open("progress");
    this.starts = open("starts");
    this.acks = open("acks");
    this.seenFile = open("seen");
    const size = this.seenFile < 0 ? 0 : fs.fstatSync(this.seenFile).size / SLOTS;
    this.seen = new Uint8Array(size);
    this.count = this.written = 0;
    this.began = 0;
    this.low = size;
    this.high = 0;
  }

  hit(number) {
    if (!this.count++) this.began = now();
    if (this.seen.length) {
      this.seen[number]++;
      if (number < this.low) this.low = number;
      if (number >= this.high) this.high = number + 1;
    }
    if (this.starts >= 0) writeDouble(this.starts, number, now());
  }

  flush() {
    if (this.count === this.written) return;
    if (this.low < this.high) {
      const at = this.slot * this.seen.length + this.low;
      fs.writeSync(this.seenFile, this.seen, this.low, this.high - this.low, at);
      this.low = this.seen.length;
      this.high = 0;
    }
    const bytes = Buffer.alloc(SLOT);
    bytes.writeBigInt64LE(BigInt(this.count), 0);
    bytes.writeDoubleLE(this.began, 8);
    fs.writeSync(this.progress, bytes, 0, SLOT, this.slot * SLOT);
    this.written = this.count;
  }

  executed() {
    const bytes = Buffer.alloc(SLOT * SLOTS);
    fs.readSync(this.progress, bytes, 0, bytes.length, 0);
    let sum = 0;
    for (let at = 0; at < SLOTS; at++) sum += Number(bytes.readBigInt64LE(at * SLOT));
    return sum;
  }
}

function writeDouble(file, at, value) {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value, 0);
  fs.writeSync(file, bytes, 0, 8, 8 * at);
}

let board = null;

/** A handler begins with the job of that number. */
export const hit = (number) => board.hit(number);

/** Say that all is connected and wait for the start. */
export async function ready() {
  console.log("READY");
  const lines = readline.createInterface({ input: process.stdin });
  await new Promise((go) => lines.once("line", go));
  lines.close();
  process.stdin.pause();
}

const sleep = (ms) => new Promise((go) => setTimeout(go, ms));

/** Numbers from `first`, so many. */
export const range = (first, count) => Array.from({ length: count }, (_, at) => first + at);

/** An array in pieces. */
export function* chunks(array, size) {
  for (let at = 0; at < array.length; at += size) yield array.slice(at, at + size);
}

const produce = {
  async create(contestant, kind, count) {
    await contestant.create(kind, range(0, Number(count)));
    return Number(count);
  },
  async single(contestant, first, count) {
    for (const number of range(Number(first), Number(count))) await contestant.single(number);
    return Number(count);
  },
  async paced(contestant, count, gap) {
    const start = now() + 0.05;
    for (const number of range(0, Number(count))) {
      await sleep(Math.max(0, (start + (number * gap) / 1000 - now()) * 1000));
      await contestant.single(number);
      writeDouble(board.acks, number, now());
    }
    return Number(count);
  },
  async feed(contestant, backlog, chunk, seconds) {
    const waiting = Number(backlog), size = Number(chunk), end = now() + Number(seconds);
    let made = waiting;
    while (now() < end) {
      if (made - board.executed() >= waiting) {
        await sleep(2);
        continue;
      }
      await contestant.create("job", range(made, size));
      made += size;
    }
    return made - waiting;
  },
};

/** Do what the command line asks for. */
export async function main(contestant) {
  if (command === "setup") {
    await contestant.setup();
    process.exit(0);
  }
  board = new Board();
  if (command === "work") {
    setInterval(() => board.flush(), FLUSH);
    return contestant.work(Number(words[0]));
  }
  await contestant.open();
  if (command === "paced" && contestant.attend) await contestant.attend();
  await ready();
  const begin = now(), cpu = process.cpuUsage();
  const made = await produce[command](contestant, ...words);
  const spent = process.cpuUsage(cpu);
  console.log("RESULT " + JSON.stringify({ begin, end: now(), cpu: (spent.user + spent.system) / 1e6, made }));
  process.exit(0);
}
