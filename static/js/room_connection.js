// Says, calmly and in one line, that the server does not answer or that the person is signed out; until it is over.

const bar = (name) => document.getElementById(name);

export function watchConnection() {
  document.addEventListener("earshot:answered", ({ detail: { status } }) => {
    const isSignedOut = status === 403;
    const isSilent = navigator.onLine && (status === 0 || status >= 500); // without a network another bar says so
    bar("signed-out").hidden = !isSignedOut;
    bar("server-silent").hidden = !isSilent;
  });
  addEventListener("offline", () => (bar("server-silent").hidden = true));
}
