// The words on the wire, for editors and `tsc --checkJs`. Browsers never load this file.

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
  /** Seconds from now, null = never. */
  expires_in: number | null;
  /** Seconds the pop-up stays, null = the page decides, 0 = until closed. */
  close_timeout: number | null;
  from: string | null;
  job: Job | null;
  /** Set by the store: the moment `expires_in` ends, in ms since the epoch. */
  expiresAt?: number;
}

export interface Snapshot {
  messages: Message[];
  unread: number;
  floor: number;
}

export interface Bye {
  reason: "shutdown" | "age" | "busy" | "signed-out";
  retry: number;
}

export type ConnectionState = "idle" | "connecting" | "open" | "offline" | "stopped";

declare global {
  interface HTMLElementTagNameMap {
    "monitio-bell": import("./bell.js").MonitioBell;
    "monitio-messages": import("./toasts.js").MonitioMessages;
    "monitio-progress": import("./progress.js").MonitioProgress;
  }
  /** What has the focus in our shadow roots is HTML. */
  interface Element {
    blur(): void;
  }
  interface Window {
    jQuery?: any;
  }
}
