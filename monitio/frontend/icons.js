/** @type {Record<string, string>} */
const PATHS = {
  info: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm1 15h-2v-6h2zm0-8h-2V7h2z",
  success: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1.5 14.5-4-4 1.4-1.4 2.6 2.6 5.6-5.6 1.4 1.4z",
  warning: "M12 2 1 21h22zm1 16h-2v-2h2zm0-4h-2V9h2z",
  error: "M8 2h8l6 6v8l-6 6H8l-6-6V8zm5 15h-2v-2h2zm0-4h-2V7h2z",
  running: "M12 4V1L8 5l4 4V6a6 6 0 1 1-6 6H4a8 8 0 1 0 8-8z",
  bell: "M12 22a2 2 0 0 0 2-2h-4a2 2 0 0 0 2 2zm6-6v-5a6 6 0 0 0-5-6V3h-2v2a6 6 0 0 0-5 6v5l-2 2v1h16v-1z",
  close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
};
const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("part", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("fill-rule", "evenodd");
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
