/** The address of the page's own script, which is the layout worker's too; read while the script starts. */
export const SCRIPT =
  typeof document !== "undefined" && document.currentScript instanceof HTMLScriptElement
    ? document.currentScript.src
    : "";
