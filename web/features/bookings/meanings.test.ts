import { describe, expect, it } from 'vitest';
import { actionMeaning, bookingText, isOpen, readAction } from './meanings';

describe('bookings', () => {
  it('are watched until nothing can happen to them any more', () => {
    expect(isOpen('BALANCE_DUE')).toBe(true);
    expect(isOpen('DISPUTED')).toBe(true);
    expect(isOpen('CLOSED')).toBe(false);
    expect(isOpen('EXPIRED')).toBe(false);
  });

  it('take only actions that there are', () => {
    expect(readAction('ACCEPT')).toBe('ACCEPT');
    expect(readAction('toString')).toBeNull();
    expect(readAction('')).toBeNull();
  });

  it('ask for words where they help to decide', () => {
    expect(actionMeaning('DISPUTE').note).not.toBeNull();
    expect(actionMeaning('PAY_DEPOSIT').note).toBeNull();
    expect(bookingText('DEPOSIT_HELD')).toMatch(/escrow/);
  });
});
