import { defineConfig } from "vite";

// Relative addresses: the page works behind any path prefix. Nothing is fetched from elsewhere.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: { target: "es2022", sourcemap: false },
});
