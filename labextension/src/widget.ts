// The anywidget module: one model of a run for each widget, and a view for each place where it is shown.

import { type Channel, LiveFlow } from "./live";
import { jupyterServer } from "./server";
import { freshMemory } from "./view/context";
import { FlowView } from "./view/flowview";
import type { ToKernel } from "./wire";

/** What anywidget gives. */
interface Model {
  on(name: string, hear: (content: unknown) => void): void;
  send(content: ToKernel): void;
}

function channelOf(model: Model): Channel {
  return {
    send: (message) => model.send(message),
    listen: (hear) => {
      model.on("msg:custom", hear);
      const gone = (name: string, reason: string): void => model.on(name, () => hear({ type: "bye", reason }));
      gone(
        "comm_live_update",
        "The kernel was restarted: this is how things stood. Run the cell again, or %flow show.",
      );
      gone("comm:close", "This picture is not live any more: there are newer ones.");
    },
  };
}

/** Called once for each widget: what is kept here outlives its views. */
export default () => {
  let memory = freshMemory();
  let live: LiveFlow | null = null;
  const begin = (model: Model): LiveFlow => {
    const begun = new LiveFlow(channelOf(model), jupyterServer(), Math.floor(Math.random() * 2 ** 40));
    begun.begin();
    return begun;
  };
  return {
    initialize({ model }: { model: Model }): void {
      live = begin(model);
    },
    render({ model, el }: { model: Model; el: HTMLElement }): () => void {
      live ??= begin(model);
      // each view has its own, for two may be there at once; a new one begins as the last
      memory = structuredClone(memory);
      const view = new FlowView(el, live, memory);
      return () => view.dispose();
    },
  };
};
