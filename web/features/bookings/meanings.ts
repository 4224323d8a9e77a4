// What a booking's state and actions mean to people. Pure.
import type { BookingAction, BookingState } from '@/graphql/generated';

export type BookingTone = 'waiting' | 'good' | 'bad' | 'quiet';

const states: Record<BookingState, { label: string; tone: BookingTone; text: string }> = {
  REQUESTED: { label: 'Asked for', tone: 'waiting', text: 'The stall has not answered yet.' },
  ACCEPTED: {
    label: 'Accepted',
    tone: 'waiting',
    text: 'It is fixed once the deposit is paid.',
  },
  DEPOSIT_HELD: {
    label: 'Booked',
    tone: 'good',
    text: 'The deposit waits in escrow until both sides say that it is done.',
  },
  DELIVERED: {
    label: 'Done, says the stall',
    tone: 'waiting',
    text: 'The buyer confirms, or says what is wrong.',
  },
  BALANCE_DUE: { label: 'To be paid', tone: 'waiting', text: 'The rest of the price is due.' },
  CLOSED: { label: 'Paid', tone: 'good', text: 'Everything is done and paid.' },
  DECLINED: { label: 'Declined', tone: 'bad', text: 'The stall said no. Nothing was charged.' },
  EXPIRED: { label: 'Expired', tone: 'quiet', text: 'Nobody acted in time.' },
  CANCELLED: { label: 'Called off', tone: 'quiet', text: 'It was called off.' },
  DISPUTED: {
    label: 'Being looked into',
    tone: 'waiting',
    text: 'The shop decides who gets what is in escrow.',
  },
};

type ActionMeaning = {
  label: string;
  busy: string;
  /** What to ask for in words; null when there is nothing to say. */
  note: string | null;
  quiet: boolean;
};

const actions: Record<BookingAction, ActionMeaning> = {
  ACCEPT: { label: 'Accept', busy: 'Accepting…', note: null, quiet: false },
  DECLINE: { label: 'Decline', busy: 'Declining…', note: 'Why not? (optional)', quiet: true },
  PAY_DEPOSIT: { label: 'Pay the deposit', busy: 'Paying…', note: null, quiet: false },
  MARK_DELIVERED: { label: 'It is done', busy: 'Noting…', note: null, quiet: false },
  CONFIRM_COMPLETION: {
    label: 'Yes, it is done',
    busy: 'Confirming…',
    note: null,
    quiet: false,
  },
  PAY_BALANCE: { label: 'Pay the rest', busy: 'Paying…', note: null, quiet: false },
  CANCEL: { label: 'Call it off', busy: 'Calling off…', note: 'Why? (optional)', quiet: true },
  DISPUTE: {
    label: 'Something is wrong',
    busy: 'Telling the shop…',
    note: 'What is wrong?',
    quiet: true,
  },
  RESOLVE_REFUND: {
    label: 'Give money back',
    busy: 'Deciding…',
    note: 'Why? (optional)',
    quiet: true,
  },
  RESOLVE_RELEASE: {
    label: 'Pay the stall',
    busy: 'Deciding…',
    note: 'Why? (optional)',
    quiet: true,
  },
};

export function bookingLabel(state: BookingState): string {
  return states[state].label;
}

export function bookingText(state: BookingState): string {
  return states[state].text;
}

export function bookingTone(state: BookingState): BookingTone {
  return states[state].tone;
}

/** Whether something may still happen to it. */
export function isOpen(state: BookingState): boolean {
  return !['CLOSED', 'DECLINED', 'EXPIRED', 'CANCELLED'].includes(state);
}

export function actionMeaning(action: BookingAction): ActionMeaning {
  return actions[action];
}

/** Reads an action as a form sends it; null for what is none. */
export function readAction(text: string): BookingAction | null {
  return Object.hasOwn(actions, text) ? (text as BookingAction) : null;
}
