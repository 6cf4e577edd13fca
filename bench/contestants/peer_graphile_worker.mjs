// /// script
// dependencies = ["graphile-worker@0.18.0"]
// [tool.bench]
// batch = 24
// jobs = 60000
// chains = 4000
// left = "select count(*) from graphile_worker._private_jobs"
// claim = "graphile_worker.get_jobs"
// ///
// graphile-worker with what its own performance test sets: a local queue of 500, completions of an event loop's turn in one
// statement. A batch is its `concurrentJobs`.

import { DSN, STEPS, chunks, hit, load, main, ready } from "./protocol.mjs";

const { Logger, makeWorkerUtils, run, runMigrations } = await load("graphile-worker");
const logger = new Logger(() => () => {});
const MANY = 5000;
let utils;

await main({
  setup: () => runMigrations({ connectionString: DSN, logger }),

  async open() {
    utils = await makeWorkerUtils({ connectionString: DSN, logger, maxPoolSize: 1 });
    await utils.withPgClient((client) => client.query("select 1"));
  },

  async create(kind, numbers) {
    const [identifier, step] = kind === "chain" ? ["step", 1] : ["nothing", 0];
    for (const some of chunks(numbers, MANY)) await utils.addJobs(some.map((n) => ({ identifier, payload: { n, step } })));
  },

  single: (n) => utils.addJob("nothing", { n }),

  async work(batch) {
    await ready();
    const worker = {
      connectionString: DSN,
      concurrentJobs: batch,
      maxPoolSize: batch + 1,
      localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    };
    const taskList = {
      nothing: async ({ n }) => hit(n),
      step: async ({ n, step }, { addJob }) => {
        hit(n);
        if (step < STEPS) await addJob("step", { n, step: step + 1 });
      },
    };
    await run({ logger, preset: { worker }, taskList });
  },
});
