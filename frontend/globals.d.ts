export {};

declare global {
  interface HTMLElementTagNameMap {
    "monitio-bell": import("./elements/bell.js").MonitioBell;
    "monitio-messages": import("./elements/toasts.js").MonitioMessages;
    "monitio-progress": import("./elements/progress.js").MonitioProgress;
  }
  interface Window {
    jQuery?: any;
  }
}
