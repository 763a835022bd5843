/** Minify a module: {file, code, map, names, short} as JSON on stdin, {code, map, short} on stdout. */

import { readFileSync } from "node:fs";
import { minifySync } from "rolldown/experimental";

const { file, code, map, names, short } = JSON.parse(readFileSync(0, "utf8"));
const minified = minifySync(file, code, {
  module: true, sourcemap: true, inputMap: map,
  mangleProps: { include: new RegExp(`^(?:${names.join("|")})$`), cache: short },
});
if (minified.errors.length) throw new Error(JSON.stringify(minified.errors));
console.log(JSON.stringify({
  code: minified.code, map: minified.map, short: minified.mangleCache,
}));
