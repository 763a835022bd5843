/** What this browser remembers. Storage may be forbidden: then nothing is remembered. */

function quietly(attempt) {
  try {
    return attempt();
  } catch {
    return undefined;
  }
}

const KEEP_OPEN = "monitio.keep-open";
const CLOSED_JOBS = "monitio.closed-jobs";

/** The user's wish that no pop-up closes by itself. */
export const keepOpen = {
  get: () => quietly(() => localStorage.getItem(KEEP_OPEN)) === "1",
  set: (on) => quietly(() => localStorage.setItem(KEEP_OPEN, on ? "1" : "0")),
};

/** Ids of running jobs whose pop-up was closed in this tab: a reload leaves them closed. */
export const closedJobs = {
  get: () => quietly(() => JSON.parse(sessionStorage.getItem(CLOSED_JOBS) || "[]")) ?? [],
  has: (id) => closedJobs.get().includes(id),
  add: (id) => closedJobs.set([...closedJobs.get().slice(-99), id]),
  remove: (id) => closedJobs.has(id) && closedJobs.set(closedJobs.get().filter((x) => x !== id)),
  set: (ids) => quietly(() => sessionStorage.setItem(CLOSED_JOBS, JSON.stringify(ids))),
};
