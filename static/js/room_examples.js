// Examples to hear beside a question. One sound at a time: the room falls silent for an example, and the other way round.

const audio = new Audio();
const channel = new BroadcastChannel("earshot-playing"); // everybody who plays says so here
let playing = null; // the button whose example is heard

function show(button) {
  playing?.setAttribute("aria-pressed", "false");
  playing = button;
  playing?.setAttribute("aria-pressed", "true");
}

function stop() {
  audio.pause();
  show(null);
}

async function play(button) {
  const problem = button.closest("[data-examples]").querySelector("[data-example-problem]");
  for (const other of document.querySelectorAll("audio")) other.pause(); // at once: a message takes a moment
  channel.postMessage("example");
  audio.src = button.dataset.example;
  show(button);
  problem.hidden = true;
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "AbortError") return; // another one was chosen meanwhile
    stop();
    problem.hidden = false;
  }
}

export function startExamples(root) {
  for (const button of root.querySelectorAll("[data-example]"))
    button.addEventListener("click", () => (button === playing ? stop() : play(button)));
  for (const details of root.querySelectorAll("[data-examples]"))
    details.addEventListener("toggle", () => !details.open && details.contains(playing) && stop());
  audio.addEventListener("ended", stop);
  channel.addEventListener("message", stop);
}
