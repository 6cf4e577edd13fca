import { setup } from "xstate";

export const order = setup({
  types: {
    context: {} as { price: number },
    events: {} as { type: "PAID"; amount: number; method: string },
  },
}).createMachine({
  context: { price: 0 },
  initial: "open",
  states: {
    open: {
      on: {
        PAID: { guard: ({ context, event }) => event.amunt >= context.price, target: "done" },
      },
    },
    done: { type: "final" },
  },
});
