import { expect, it } from 'vitest';
import { bidText } from './bid-state';

it('a bidder always reads whether money is held', () => {
  expect(bidText('PENDING', null).text).toContain('holding');
  expect(bidText('ACCEPTED', null)).toEqual({
    tone: 'good',
    text: 'You lead. The amount is held for you.',
  });
  expect(bidText('OUTBID', null).text).toContain('free again');
  expect(bidText('REJECTED', 'INSUFFICIENT_FUNDS').text).toContain('balance');
  expect(bidText('REJECTED', 'SOMETHING_NEW').text).toContain('Nothing was held');
});
