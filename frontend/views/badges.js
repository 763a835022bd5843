/** Above this number the exact one is not shown. */
export const MOST = 99;

/**
 * The unread count in the title, and on the icon of an installed app.
 * @param {Element} element whose attributes ask for them
 * @param {number} unread
 */
export function showBadges(element, unread) {
  if (element.hasAttribute("title-badge"))
    document.title = (unread ? `(${unread > MOST ? `${MOST}+` : unread}) ` : "")
      + document.title.replace(/^\(\d+\+?\) /, "");
  if (element.hasAttribute("app-badge")) navigator.setAppBadge?.(unread).catch(() => {});
}
