/** @type {Record<string, string>} */
const PATHS = {
  debug: "m8 8-4 4 4 4m8-8 4 4-4 4",
  info: "M12 11v6.5m0-11.3v.2",
  success: "m5 12.5 4.5 4.5L19 7.5",
  warning: "M12 8v5m0 3.2v.1M10.5 3.9 2.7 17.5A1.7 1.7 0 0 0 4.2 20h15.6a1.7 1.7 0 0 0 1.5-2.5L13.5 3.9a1.7 1.7 0 0 0-3 0Z",
  error: "M12 5.5v8m0 4.3v.2",
  bell: "M6 17v-7a6 6 0 0 1 12 0v7zm-3 0h18m-11 4h4",
  close: "m6.5 6.5 11 11m0-11-11 11",
};
const SVG = "http://www.w3.org/2000/svg";

/** @param {Record<string, string>} paths */
export const addIcons = (paths) => Object.assign(PATHS, paths);

/** @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  setIcon(svg, name);
  return svg;
}

/**
 * @param {SVGElement} svg
 * @param {string} name
 * @param {string} [path] in place of the one of that name
 */
export function setIcon(svg, name, path) {
  svg.firstElementChild?.setAttribute("d", path ?? PATHS[name] ?? PATHS.info);
}
