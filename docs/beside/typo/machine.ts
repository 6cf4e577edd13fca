import { createActor, createMachine } from "xstate";

const mail = createMachine({
  id: "mail",
  initial: "waiting",
  states: {
    waiting: { on: { PICKED: "runing" } },
    running: { on: { SENT: "done" } },
    done: { type: "final" },
  },
});

createActor(mail).start();
