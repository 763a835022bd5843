import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["monitio/static/monitio/monitio*.js"] },
  js.configs.recommended,
  {
    languageOptions: { globals: globals.browser },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "max-lines": ["error", 250],
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["**/messages.jquery.js"],
    languageOptions: { sourceType: "script" },
    rules: { "no-var": "off" },
  },
];
