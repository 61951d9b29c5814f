// What the pages do better with JavaScript. Each works without.

document.documentElement.classList.add("js");

const every = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Choosing a file, or dropping it anywhere on the page, reads it at once and shows how much has been sent.

function readAtOnce(form) {
  const input = form.querySelector("input[type=file]");
  const progress = form.querySelector(".drop-progress");
  const say = (text) => { form.querySelector("[data-drop-text]").textContent = text; };

  function send() {
    const file = input.files[0];
    if (!file) return;
    progress.hidden = false;
    if (file.size > Number(form.dataset.maxBytes)) {
      progress.querySelector("progress").hidden = true;
      say(`${file.name} is larger than ${form.dataset.maxText}. Split it, or zip it.`);
      input.value = "";
      return;
    }
    progress.querySelector("progress").hidden = false;
    say(`Sending ${file.name} …`);
    const call = new XMLHttpRequest();
    call.upload.addEventListener("progress", (event) => {
      progress.querySelector("progress").value = event.lengthComputable ? (100 * event.loaded) / event.total : 0;
      if (event.loaded === event.total) say("Reading it …");
    });
    call.addEventListener("load", () => {
      const isRead = call.status < 300 && new URL(call.responseURL).pathname !== location.pathname;
      if (isRead) location.assign(call.responseURL);
      else replacePage(call.responseText);
    });
    call.addEventListener("error", () => say("The connection broke off. Choose the file again."));
    call.open("POST", form.action);
    call.setRequestHeader("Accept", "text/html");
    call.send(new FormData(form));
  }

  input.addEventListener("change", send);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("drop-over", depth > 0);
  };
  addEventListener("dragenter", (event) => { event.preventDefault(); mark(1); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("dragleave", () => mark(-1));
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    send();
  });
}

function replacePage(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  document.title = page.title;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  enhance(document);
  document.querySelector("main").focus();
}

// Another column is used as soon as it is chosen; what was chosen among the options goes along.

function rereadAtOnce(form) {
  const start = document.getElementById("start-form");
  form.addEventListener("submit", () => {
    every("input[data-along]", (each) => each.remove(), form);
    if (!start) return;
    for (const [name, value] of new FormData(start)) {
      if (name === "csrf_token") continue;
      const along = Object.assign(document.createElement("input"), { type: "hidden", name, value });
      along.dataset.along = "";
      form.append(along);
    }
  });
  every("select", (each) => each.addEventListener("change", () => form.requestSubmit()), form);
}

// A form is sent once, however often its button is clicked.

function sendOnce(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => delete form.dataset.sent);
}

// Thumbnails are loaded one after the other, once they come into view: our server downloads each from its host.

function loadThumbnails(places) {
  const queue = [];
  let isLoading = false;
  async function next() {
    if (isLoading) return;
    isLoading = true;
    while (queue.length) await load(queue.shift());
    isLoading = false;
  }
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      queue.push(target);
    }
    next();
  }, { rootMargin: "100px" });
  places.forEach((place) => seen.observe(place));
}

async function load(place) {
  for (let tries = 0; tries < 5; tries += 1) {
    const answer = await fetch(place.dataset.thumb, { headers: { Accept: "image/jpeg, application/json" } }).catch(() => null);
    if (answer?.headers.get("Content-Type") === "image/jpeg") {
      const image = Object.assign(new Image(44, 44), { alt: place.dataset.alt, src: place.dataset.thumb });
      place.replaceChildren(image);
      return;
    }
    if (answer?.status !== 202) {
      const problem = await answer?.json().catch(() => null);
      place.replaceChildren("–");
      place.classList.add("thumb-none");
      if (problem?.detail) {
        const fault = Object.assign(document.createElement("span"), { className: "cell-fault", textContent: problem.detail });
        place.nextElementSibling?.append(fault);
      }
      return;
    }
    await pause(1);
  }
}

// Commands can be copied where the browser allows it (it wants HTTPS or loopback).

function addCopyButton(text) {
  if (!navigator.clipboard) return;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button button-small copy", textContent: "Copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
    await pause(2);
    button.textContent = "Copy";
  });
  text.after(button);
}

function enhance(root) {
  every("form[data-drop]", readAtOnce, root);
  every("form[data-reread]", rereadAtOnce, root);
  every("form[data-once]", sendOnce, root);
  every("[data-copy]", addCopyButton, root);
  loadThumbnails(root.querySelectorAll("[data-thumb]"));
}

enhance(document);
