/** Minify a module: {file, code, map} as JSON on stdin, {code, map} on stdout. */

import { readFileSync } from "node:fs";
import { minifySync } from "rolldown/experimental";

const { file, code, map: inputMap } = JSON.parse(readFileSync(0, "utf8"));
const { errors, ...minified } = minifySync(file, code, { module: true, sourcemap: true, inputMap });
if (errors.length) throw new Error(JSON.stringify(errors));
console.log(JSON.stringify(minified));
