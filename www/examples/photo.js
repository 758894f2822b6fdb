// A photo beside a text: chosen, shown small, taken away again.

/** Wires the photo controls in `host`; `changed()` when it is another one. Returns `{ photo(), clear() }`. */
export function createPhoto(host, changed) {
  const input = host.querySelector('input');
  const image = host.querySelector('img');
  const remove = host.querySelector('button');
  let photo = null;

  function set(file) {
    if (image.src) URL.revokeObjectURL(image.src);
    photo = file;
    image.hidden = remove.hidden = !file;
    if (file) image.src = URL.createObjectURL(file);
    else image.removeAttribute('src');
  }

  input.addEventListener('change', () => {
    if (input.files[0]) set(input.files[0]);
    input.value = ''; // so that the same file can be chosen again
    changed?.();
  });
  remove.addEventListener('click', () => {
    set(null);
    input.focus();
    changed?.();
  });

  return { photo: () => photo, clear: () => set(null) };
}
