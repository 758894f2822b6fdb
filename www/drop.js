// Something is dropped on the page. The whole page takes it, so that a near miss does not open the file instead.

/** Calls `taken(transfer)` with each drop, and marks `target` (`data-over`) while something is dragged over the page. */
export function onDrop(target, taken) {
  let depth = 0; // of the elements that were entered and not left
  const over = (on) => (target.dataset.over = String(on));
  document.addEventListener('dragenter', () => over(++depth > 0));
  document.addEventListener('dragleave', () => over(--depth > 0));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    over((depth = 0) > 0);
    taken(event.dataTransfer);
  });
}
