import { createActor, createMachine } from "xstate";

const order = createMachine({
  id: "order",
  initial: "open",
  states: {
    open: { on: { PAID: "sent" } },
    refunding: { on: { REFUNDED: "sent" } },
    sent: { type: "final" },
  },
});

createActor(order).start();
