// Code of a site that uses the npm package, type-checked by `tsc`.
import { createMonitio, FetchEventSource, type Message, type State } from "monitio";
import { monitio as page } from "monitio/elements";

const monitio = createMonitio({
  url: "/messages/",
  headers: async () => ({ Authorization: "Bearer token" }),
  EventSourceClass: FetchEventSource,
});
const leave: () => void = monitio.subscribe(() => {});
const state: State = monitio.getSnapshot();
const titles: string[] = state.messages.map((message: Message) => message.title || message.body);
const percent: number | null | undefined = state.messages[0]?.job?.percent;
const cancelled: Promise<boolean> = monitio.cancel(12);
void monitio.markRead("all");
void page.configure({ url: "/messages/", headers: { Authorization: "Bearer token" } });

// @ts-expect-error the address is required
createMonitio({});
// @ts-expect-error the state is read-only
state.unread = 0;
// @ts-expect-error there is no such state
const wrong: boolean = state.connection === "closed";

export { cancelled, leave, percent, titles, wrong };
