let active = Date.now();

/** Two minutes without key, pointer or touch: nobody is there. */
export const isAway = () => document.hidden || Date.now() - active > 120_000;

/** @param {() => void} update */
export function onPresence(update) {
  for (const type of ["visibilitychange", "keydown", "pointerdown", "pointermove"])
    document.addEventListener(type, () => {
      if (isAway()) setTimeout(update);
      active = document.hidden ? 0 : Date.now();
    }, true);
}
