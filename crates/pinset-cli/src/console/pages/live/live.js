// Adds the events of the stream to the table of the page /live.
"use strict";

const rows = document.getElementById("events");
const state = document.getElementById("state");
const pause = document.getElementById("pause");
const url = new URL(rows.dataset.stream, location.href);
const OPEN_TIMEOUT = 5000;
let source = null;
let timer = 0;

function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

function isLive() {
  clearTimeout(timer);
  say("New attempts appear by themselves.");
}

function isNotLive() {
  say("Not connected. Close other pages of the console, or use Refresh.");
}

function add(event) {
  url.searchParams.set("after", event.lastEventId);
  if (rows.rows.length === 1 && rows.rows[0].cells.length === 1) rows.replaceChildren();
  rows.insertAdjacentHTML("afterbegin", event.data);
  while (rows.rows.length > Number(rows.dataset.rows)) rows.deleteRow(-1);
}

function connect() {
  source = new EventSource(url);
  // A browser opens six connections to a host over HTTP/1.1: the seventh page waits.
  timer = setTimeout(isNotLive, OPEN_TIMEOUT);
  source.onopen = isLive;
  source.onmessage = add;
  source.onerror = isNotLive;
  source.addEventListener("end", () => {
    close();
    pause.hidden = true;
    say("Your session has ended. Use Refresh to log in.");
  });
}

function close() {
  clearTimeout(timer);
  source.close();
  source = null;
}

pause.addEventListener("click", () => {
  if (source) {
    close();
    pause.textContent = "Continue";
    say("Paused.");
  } else {
    pause.textContent = "Pause";
    connect();
  }
});
pause.hidden = false;
connect();
