// Small comforts. Every page reads and works without this file.
"use strict";

// Times are shown in the reader's own zone; without this file, in the server's.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `medfed_zone=${zone}; path=/; max-age=31536000; samesite=lax`;

// How many characters are left, once that begins to matter.
for (const field of document.querySelectorAll("textarea[data-max]")) {
  const limit = Number(field.dataset.max);
  const left = document.createElement("p");
  left.className = "left";
  left.hidden = true;
  field.after(left);
  const show = () => {
    const rest = limit - Array.from(field.value).length;
    left.hidden = rest > limit / 5;
    left.textContent = rest.toLocaleString(document.documentElement.lang);
    left.classList.toggle("over", rest < 0);
  };
  field.addEventListener("input", show);
  show();
}

// Control and Enter send what is being written, with the button that is the main one.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target instanceof HTMLTextAreaElement ? event.target.form : null;
  const button = form?.querySelector("button.main-act");
  if (button) form.requestSubmit(button);
});

// One open menu at a time; Escape and a click elsewhere close it.
const menus = () => document.querySelectorAll("details.more[open]");
document.addEventListener("click", (event) => {
  for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A second click on a slow network does not post twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
