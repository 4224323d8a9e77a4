import Link from 'next/link';
import { ask } from '@/graphql/client';
import { EndingSoonDocument, type EndingSoonQuery } from '@/graphql/generated';
import { Countdown } from '@/ui/countdown';
import { Icon } from '@/ui/icon';
import { SectionNotice } from '@/ui/notice';
import { Price } from '@/ui/price';

type Auction = Extract<
  EndingSoonQuery['listings']['edges'][number]['node'],
  { __typename: 'AuctionListing' }
>;

/** The auctions that end first. A service that is away costs this section, not the page. */
export async function EndingSoon() {
  const answer = await ask(EndingSoonDocument, {});
  if (!answer.ok) return <SectionNotice>Auctions cannot be shown right now.</SectionNotice>;
  const auctions = answer.data.listings.edges
    .map((edge) => edge.node)
    .filter((node): node is Auction => node.__typename === 'AuctionListing');
  if (auctions.length === 0) {
    return <SectionNotice>No auction is running right now. Come back after lunch.</SectionNotice>;
  }
  return (
    <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-4">
      {auctions.map((auction) => (
        <AuctionCard key={auction.id} auction={auction} />
      ))}
    </ul>
  );
}

function AuctionCard({ auction }: { auction: Auction }) {
  const picture = auction.item?.imageUrl;
  return (
    <li className="card relative flex gap-4 overflow-hidden p-3 transition-shadow hover:shadow-lift sm:flex-col sm:gap-0 sm:p-0">
      <div className="size-24 shrink-0 overflow-hidden rounded-xl bg-raised sm:aspect-[4/3] sm:size-auto sm:rounded-none">
        {picture ? (
          <img
            src={picture}
            alt=""
            width={800}
            height={800}
            loading="lazy"
            className="size-full object-cover"
          />
        ) : null}
      </div>
      <div className="grid flex-1 content-start gap-1 sm:p-4">
        <h3 className="font-sans text-base font-semibold leading-snug tracking-normal">
          <Link href={`/listings/${auction.id}`} className="after:absolute after:inset-0">
            {auction.title}
          </Link>
        </h3>
        <p className="flex items-baseline gap-2">
          <Price money={auction.currentPrice} className="font-display text-lg font-semibold" />
          <span className="text-sm text-muted">
            {auction.bidCount} {auction.bidCount === 1 ? 'bid' : 'bids'}
          </span>
        </p>
        <p className="flex items-center gap-1.5 text-sm font-semibold text-roast">
          <Icon name="clock" className="size-4" />
          <Countdown endsAt={auction.endsAt} serverNow={auction.serverNow} />
        </p>
      </div>
    </li>
  );
}
