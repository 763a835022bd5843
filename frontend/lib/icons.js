/** @type {Record<string, string>} */
const PATHS = {
  info: "M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0M12 11v6m0-10v0",
  success: "M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0m5 0 3 3 5-6",
  warning: "M12 3 2 20h20zm0 6v5m0 3v0",
  error: "M8 3h8l5 5v8l-5 5H8l-5-5V8zm4 4v6m0 3v0",
  running: "M12 3a9 9 0 1 0 9 9",
  bell: "M6 17v-7a6 6 0 0 1 12 0v7zm-3 0h18m-11 4h4",
  close: "m6 6 12 12m0-12L6 18",
};
const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("part", "icon");
  const path = document.createElementNS(SVG, "path");
  svg.append(path);
  setIcon(svg, name);
  return svg;
}

/**
 * @param {SVGElement} svg
 * @param {string} name
 */
export function setIcon(svg, name) {
  svg.firstElementChild?.setAttribute("d", PATHS[name] ?? PATHS.info);
}
