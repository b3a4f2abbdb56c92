// The upload form: refuses what is too large before it is sent, takes a dropped file, shows how much has gone.
import { showToast } from "./toasts.js";
import { gettext, interpolate } from "./words.js";

function sizeText(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function startForm(form) {
  const input = form.querySelector("input[type=file]");
  const progress = form.querySelector("[data-upload-progress]");
  const limit = Number(input.dataset.maxBytes);

  const check = () => {
    const file = input.files[0];
    const tooLarge = file && file.size > limit;
    const words = gettext("The file has %(size)s; %(limit)s are allowed. Send it in parts.");
    input.setCustomValidity(tooLarge ? interpolate(words, { size: sizeText(file.size), limit: sizeText(limit) }) : "");
    if (tooLarge) input.reportValidity();
  };
  input.addEventListener("change", check);

  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.toggleAttribute("data-over", true);
  });
  form.addEventListener("dragleave", () => form.removeAttribute("data-over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.removeAttribute("data-over");
    if (event.dataTransfer.files.length !== 1) {
      showToast(gettext("Drop one .zip file: pack the manifest folder first."), { title: gettext("That was not one file."), tone: "bad" });
      return;
    }
    input.files = event.dataTransfer.files;
    check();
  });

  form.addEventListener("htmx:xhr:progress", ({ detail }) => {
    if (!detail.lengthComputable) return;
    progress.hidden = false;
    const share = detail.loaded / detail.total;
    progress.querySelector("progress").value = share;
    progress.querySelector("span").textContent = interpolate(
      gettext("%(sent)s of %(all)s sent"), { sent: sizeText(detail.loaded), all: sizeText(detail.total) });
  });
}

const start = (root) => {
  for (const form of root.querySelectorAll("[data-upload]")) startForm(form);
};
start(document);
document.addEventListener("htmx:afterSwap", (event) => event.target.parentElement && start(event.target.parentElement));
