// The words on the wire and between the modules, for editors and `tsc`. Browsers never load this.

export type Level = "debug" | "info" | "success" | "warning" | "error";
export type JobState =
  | "queued" | "started" | "retrying" | "succeeded" | "failed" | "revoked" | "lost";

export interface Job {
  task: string;
  state: JobState;
  percent: number | null;
  done: number | null;
  total: number | null;
  text: string;
  /** Seconds it will probably still take. */
  eta?: number | null;
  /** Units a second. */
  rate?: number | null;
  /** Whether it can still be cancelled. */
  cancel?: boolean;
  /** Whether it can be tried again. */
  retry?: boolean;
  files?: JobFile[];
}

/** A file to download; `size` in bytes, `gone`: it has expired. */
export interface JobFile {
  id: number;
  name: string;
  size: number;
  gone: boolean;
}

/** One message, as the server sends it (plain text only). Ids below zero live on this page only. */
export interface Message {
  id: number;
  version: number;
  seq: number;
  level: Level;
  tags: string;
  title: string;
  body: string;
  url: string | null;
  url_label: string;
  persistent: boolean;
  read: boolean;
  seen: boolean;
  created: string;
  /** Set by the store: `created` in ms since the epoch. */
  at: number;
  /** Seconds from now, null = never. */
  expires_in: number | null;
  /** Seconds the pop-up stays, null = the page decides, 0 = until closed. */
  close_timeout: number | null;
  from: string | null;
  /** The path data of its icon, if it is not the level's. */
  icon?: string;
  /** The address of the sender's picture, if it has one. */
  avatar?: string;
  job: Job | null;
  /** Of this page's own: a pop-up only, no entry of the inbox. */
  notice?: boolean;
  /** Set by the store: the moment `expires_in` ends, in ms since the epoch. */
  expiresAt?: number;
  /** Set by the store: when it came over the stream, in ms since the page began. */
  arrived?: number;
}

/** What the browser does not know of a message yet, it makes up. */
export type PartialMessage = Partial<Message>;
/** What a page's own script may say of a message; `timeout` is in ms, 0 = until closed. */
export type Addition = PartialMessage & { timeout?: number };

export interface Snapshot {
  messages: Message[];
  unread: number;
  /** The server counted no further. */
  unread_capped?: boolean;
  /** The lowest id it speaks for, 0 = it holds everything. */
  floor: number;
  /** Seconds between two events of a quiet stream (`beat`), 0 = it sends none. */
  heartbeat?: number;
  /** Names it for the next stream of a page that still shows it; "" where something runs. */
  mark?: string;
}

/** What `message_json?bootstrap` adds for a page that Django has not rendered. */
export interface Bootstrap extends Snapshot {
  page: string;
  csrf?: string;
  visitor_cookie: string;
  fetch_snapshot: boolean;
  /** Without the texts if they have the hash that was sent. */
  strings: { hash: string; texts: Record<string, string> };
}

/** Of every request: `headers` may be a function, which is asked each time. */
export interface RequestOptions {
  headers?:
    | Record<string, string>
    | (() => Record<string, string> | Promise<Record<string, string>>);
  withCredentials?: boolean;
}

export interface Bye {
  reason: "shutdown" | "age" | "busy" | "signed-out";
  retry: number;
}

/** The data of each event of a stream. */
export interface Events {
  snapshot: Snapshot;
  message: Message;
  gone: { ids: number[] };
  /** There may be news to be fetched, unless the snapshot with this mark is still shown. */
  resync: { mark?: string };
}

export type ConnectionState = "idle" | "connecting" | "open" | "offline" | "stopped";

/** Of the store and the pop-ups: a message, and what it was before. */
export interface Change {
  message: Message;
  previous?: Message;
  force?: boolean;
}

/** What shows a message, or several as one: a toast, an entry of the inbox. */
export interface View {
  node: HTMLElement;
  message: unknown;
  fill(item: any): void;
  /** After all views are filled: what depends on the layout. */
  measure?(): void;
}

/** One card of the pop-ups: a message, or several as one. */
export type Card = Message | { id: string; messages: Message[] };

export type Which = number | "all";
