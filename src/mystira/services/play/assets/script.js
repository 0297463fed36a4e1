// Whatever this does, the pages do without it: it only makes them kinder.
"use strict";

// A second click on a slow evening is no second choice. The server knows that by itself; here the button says so.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
});

// A page that comes back from the browser's memory shows what was; the server knows what is.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    window.location.reload();
  }
});

// Screen readers tell what changes in a live region, and not what was in it when the page came.
document.addEventListener("DOMContentLoaded", () => {
  const spoken = document.getElementById("spoken");
  const words = [...document.querySelectorAll("[data-say]")].map((each) => each.textContent.trim().replace(/\s+/g, " "));
  if (spoken && words.length) {
    setTimeout(() => {
      spoken.textContent = words.join(" ");
    }, 400);
  }
});
