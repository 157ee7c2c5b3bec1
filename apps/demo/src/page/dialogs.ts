import type { ReceiptsElement, ReceiptSource } from '@tutti/client-browser/receipts';
import { h, type ComponentChild, type ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface DialogProps {
  readonly open: boolean;
  readonly title: string;
  readonly onClose: () => void;
  readonly children?: ComponentChildren;
}

/** The browser's own dialog: it keeps the focus, closes on Escape, and gives the focus back. */
function Dialog({ open, title, onClose, children }: DialogProps): ComponentChild {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = place.current as HTMLDialogElement;
    if (open && !dialog.open) dialog.showModal();
    if (!open && dialog.open) dialog.close();
  }, [open]);
  const closeOutside = (event: MouseEvent): void => {
    if (event.target === place.current) onClose();
  };
  return h(
    'dialog',
    { ref: place, 'aria-label': title, onClose, onClick: closeOutside },
    h('div', { class: 'inside' }, open ? children : null),
  );
}

/** What left this device, in the SDK's own words. */
export function ReceiptsDialog({
  open,
  source,
  onClose,
}: {
  readonly open: boolean;
  readonly source: ReceiptSource | undefined;
  readonly onClose: () => void;
}): ComponentChild {
  const hand = (panel: Element | null): void => {
    if (panel !== null) (panel as ReceiptsElement).recommender = source;
  };
  return h(
    Dialog,
    { open, title: 'What left my device', onClose },
    h(
      'div',
      { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Receipts' },
      h('tutti-receipts', { ref: hand }),
    ),
    h(
      'div',
      { class: 'never' },
      h('h3', null, 'What never leaves'),
      h(
        'p',
        null,
        'The films you like. The numbers that describe your taste. The key that this browser signs with.',
      ),
    ),
    h('div', { class: 'buttons' }, h('button', { type: 'button', onClick: onClose }, 'Close')),
  );
}

/** Asks once more before everything is removed. */
export function ForgetDialog({
  open,
  onForget,
  onClose,
}: {
  readonly open: boolean;
  readonly onForget: () => void;
  readonly onClose: () => void;
}): ComponentChild {
  return h(
    Dialog,
    { open, title: 'Forget me', onClose },
    h('h2', null, 'Forget everything in this browser?'),
    h(
      'p',
      null,
      'Your likes, your taste, this browser’s key, the receipts and your consent are deleted, in every tab of this page. Nothing of it is anywhere else.',
    ),
    h(
      'p',
      null,
      'What was added to earlier sums cannot be taken out of them: nobody can tell which part was yours.',
    ),
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'button', class: 'quiet', onClick: onClose }, 'Cancel'),
      h('button', { type: 'button', class: 'danger', onClick: onForget }, 'Forget everything'),
    ),
  );
}
