
"use strict";
// Lets tables be sorted and searched, and users likewise. Without it the page reads the same.

function compare(a, b) {
  const byNumber = Number(a) - Number(b);
  if (a !== "" && b !== "" && !Number.isNaN(byNumber)) return byNumber;
  return a.localeCompare(b, undefined, { numeric: true });
}

/** Show the elements whose text has all words of the search box, and say how many there are. */
function searchable(box, status, elements) {
  const texts = elements.map((element) => element.textContent.toLowerCase());
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    elements.forEach((element, number) => {
      element.hidden = !words.every((word) => texts[number].includes(word));
      shown += element.hidden ? 0 : 1;
    });
    status.textContent = words.length ? `${shown} of ${elements.length}` : "";
  });
}

function sortable(table) {
  const headers = Array.from(table.tHead.rows[0].cells);
  const body = table.tBodies[0];
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const isNumber = header.classList.contains("number");
      const before = header.getAttribute("aria-sort");
      // Numbers begin with the largest, texts with the first.
      const down = before ? before === "ascending" : isNumber;
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = Array.from(body.rows);
      rows.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
      body.append(...rows);
    });
  });
}

for (const part of document.querySelectorAll("[data-table]")) {
  const table = part.querySelector("table");
  sortable(table);
  const search = part.querySelector(".search");
  if (search) {
    search.hidden = false;
    searchable(search.querySelector("input"), search.querySelector("[role=status]"), Array.from(table.tBodies[0].rows));
  }
}

for (const part of document.querySelectorAll("[data-cards]")) {
  const search = part.querySelector(".search");
  const cards = part.querySelector(".cards");
  search.hidden = false;
  searchable(search.querySelector("input"), search.querySelector("[role=status]"), Array.from(cards.children));
  const chosen = search.querySelector("select");
  chosen.addEventListener("change", () => {
    const sorted = Array.from(cards.children);
    sorted.sort((a, b) => compare(a.dataset[chosen.value], b.dataset[chosen.value]));
    cards.append(...sorted);
  });
}

// What is folded is printed as well, and folded again afterwards.
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = Array.from(document.querySelectorAll("details:not([open])"));
  opened.forEach((details) => { details.open = true; });
});
window.addEventListener("afterprint", () => {
  opened.forEach((details) => { details.open = false; });
});
