"use strict";

// A click on a column's head sorts the rows by it; another click reverses the order.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const table = head.closest("table");
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const key = (row) => {
      const cell = row.cells[head.cellIndex];
      return "key" in cell.dataset ? Number(cell.dataset.key.replace("inf", "Infinity")) : cell.textContent;
    };
    const compare = (a, b) =>
      typeof a === "number" && typeof b === "number"
        ? (a === b ? 0 : a - b)
        : String(a).localeCompare(String(b), "en", { numeric: true });
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => sign * compare(key(a), key(b)));
    table.tBodies[0].append(...rows);
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  });
}

// Print collapsed tables too.
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
