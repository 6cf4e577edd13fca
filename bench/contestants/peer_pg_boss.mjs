// /// script
// dependencies = ["pg-boss@12.38.0"]
// [tool.bench]
// batch = 500
// jobs = 20000
// chains = 2000
// left = "select count(*) from pgboss.job where state < 'completed'"
// done = "select count(*) from pgboss.job where state = 'completed'"
// rows = { chain = 3 }
// ///
// pg-boss: a handler gets a batch, which one UPDATE completes when it returns; LISTEN/NOTIFY on the queue.

import { DSN, STEPS, chunks, hit, load, main, ready } from "./protocol.mjs";

const { PgBoss } = await load("pg-boss");
const MANY = 5000;
let boss;

async function start(options) {
  const found = new PgBoss({ connectionString: DSN, schedule: false, ...options });
  found.on("error", (error) => console.error(error.message));
  await found.start();
  return found;
}

await main({
  async setup() {
    const found = await start({});
    for (const queue of ["nothing", "step"]) await found.createQueue(queue, { notify: true });
    await found.stop();
  },

  async open() {
    boss = await start({ supervise: false, migrate: false, max: 1 });
    for (const queue of ["nothing", "step"]) await boss.getQueue(queue);
  },

  async create(kind, numbers) {
    const [queue, step] = kind === "chain" ? ["step", 1] : ["nothing", 0];
    for (const some of chunks(numbers, MANY)) await boss.insert(queue, some.map((n) => ({ data: { n, step } })));
  },

  single: (n) => boss.send("nothing", { n }),

  async work(batch) {
    const found = await start({ useListenNotify: true });
    await ready();
    const options = { batchSize: batch, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 5, burstWhenBatchFull: true };
    await found.work("nothing", options, async (jobs) => {
      for (const { data } of jobs) hit(data.n);
    });
    await found.work("step", options, async (jobs) => {
      for (const { data } of jobs) hit(data.n);
      const next = jobs.filter(({ data }) => data.step < STEPS);
      if (next.length) await found.insert("step", next.map(({ data }) => ({ data: { n: data.n, step: data.step + 1 } })));
    });
  },
});
