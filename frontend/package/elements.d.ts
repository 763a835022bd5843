import type { Addition, ConnectionState, Message, PartialMessage, Which } from "../types.js";
import type { Options } from "./index.js";

/** Importing this module defines `<monitio-messages>`, `<monitio-bell>` and `<monitio-progress>`. */
export const monitio: {
  /** Elements added after it has resolved are complete and live. */
  configure(options: Partial<Options>): Promise<void>;
  add(addition: Addition): number;
  update(id: number, changes: PartialMessage): void;
  close(id: number): void;
  closeAll(): void;
  markRead(which: Which): Promise<void>;
  remove(which: Which): Promise<void>;
  cancel(id: number): Promise<boolean>;
  reply(id: number, text: string): Promise<boolean>;
  readonly unread: number;
  readonly messages: Message[];
  readonly connection: ConnectionState;
};
