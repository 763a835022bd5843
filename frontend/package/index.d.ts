import type { ConnectionState, Message, RequestOptions, Which } from "../types.js";

export type {
  ConnectionState, Job, JobFile, JobState, Level, Message, RequestOptions, Which,
} from "../types.js";

export interface Options extends RequestOptions {
  /** Where the site has `include("monitio.urls")`, with a slash at the end. */
  url: string;
  /** A class like EventSource, in place of it. */
  EventSourceClass?: new (url: string, options: RequestOptions) => EventTarget & { close(): void };
}

/** What the user should see now: another object after each change, the same one until then. */
export interface State {
  /** Newest first. */
  readonly messages: readonly Message[];
  readonly unread: number;
  readonly connection: ConnectionState;
  /** The texts of monitio's own elements, in the user's language. */
  readonly texts: Readonly<Record<string, string>>;
}

export interface Monitio {
  /** The first listener opens the stream. Returns what ends the subscription. */
  subscribe(listener: () => void): () => void;
  /** For another user, or a new token: forgets everything and begins again. */
  restart(): void;
  getSnapshot(): State;
  /** An empty state, for rendering on a server. */
  getServerSnapshot(): State;
  markRead(which: Which): Promise<void>;
  markUnread(id: number): Promise<void>;
  /** Its pop-up was on the screen. */
  markSeen(id: number): void;
  remove(which: Which): Promise<void>;
  /** Cancel the job of a message; false: the server has refused. */
  cancel(id: number): Promise<boolean>;
  retry(id: number): Promise<boolean>;
  reply(id: number, text: string): Promise<boolean>;
  /** Add the next older messages to the state. */
  loadOlder(): Promise<void>;
  fileUrl(id: number, file: number): string;
}

export function createMonitio(options: Options): Monitio;

/** Like EventSource, with headers. */
export class FetchEventSource extends EventTarget {
  constructor(url: string, options?: RequestOptions);
  close(): void;
}
