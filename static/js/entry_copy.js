// <button data-copy="ID" data-copied="Copied" hidden>: copies the text of that element, where the browser can.

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector("span");
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
  } catch {
    if (source.select) source.select(); // to be copied by hand
    else getSelection().selectAllChildren(source);
    return;
  }
  label.textContent = button.dataset.copied;
  setTimeout(() => (label.textContent = before), 2000);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
