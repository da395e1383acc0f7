/**
 * Names an alert in the view, and opens it: changes the view and moves the focus to the alert's card once it is drawn.
 */

import type { Alert } from "../api.ts";
import { show } from "../store.ts";

/** One episode of an alert; a fingerprint may have several. */
export const episode = (alert: Alert): string =>
  `${alert.fingerprint.replace(/[^\w-]/g, "")}-${Date.parse(alert.starts_at)}`;

export const cardId = (alert: Alert): string => `alert-${episode(alert)}`;

export function openAlert(alert: Alert): void {
  show({ alerts: "active", alert: episode(alert) });
  requestAnimationFrame(() => {
    const card = document.getElementById(cardId(alert));
    card?.scrollIntoView({ block: "center" });
    card?.querySelector<HTMLElement>("button")?.focus({ preventScroll: true });
  });
}
