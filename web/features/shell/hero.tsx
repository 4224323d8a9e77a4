import Link from 'next/link';

export function Hero() {
  return (
    <section className="overflow-hidden bg-raised">
      <div className="shell grid items-center gap-8 pb-12 pt-10 md:grid-cols-[1.15fr_1fr] md:pb-16 md:pt-14">
        <div>
          <p className="eyebrow mb-4">Open from first light to last order</p>
          <h1 className="text-[clamp(2.6rem,7.5vw,4.75rem)] leading-[1.02]">
            Many stalls, <span className="text-roast">one table.</span>
          </h1>
          <p className="mt-5 max-w-[34rem] text-lg text-muted">
            Beans roasted this week, cloth waxed by hand, radios brought back to life. Pull up a
            stool and order from all of them at once.
          </p>
          <div className="mt-8 flex flex-wrap gap-3">
            <Link href="/search" className="button button-primary">
              Browse the stalls
            </Link>
            <Link href="/c/coffee" className="button button-quiet">
              Start with coffee
            </Link>
          </div>
        </div>
        <HeroPicture />
      </div>
      <div className="tiles" aria-hidden="true" />
    </section>
  );
}

/** A marble table, a window and the cup: the shop in one picture, in the colours of the theme. */
function HeroPicture() {
  return (
    <svg viewBox="0 0 520 400" className="mx-auto w-full max-w-[34rem]" aria-hidden="true">
      <path d="M60 330V180a200 150 0 0 1 400 0v150Z" className="fill-gold-soft" />
      <path
        d="M92 330V184a168 122 0 0 1 336 0v146"
        className="fill-transparent stroke-surface"
        strokeWidth="4"
      />
      <circle cx="350" cy="150" r="58" className="fill-gold" opacity="0.35" />
      <path d="M260 60v270M92 190h336" className="stroke-surface" strokeWidth="4" />
      <rect
        x="10"
        y="318"
        width="500"
        height="22"
        rx="11"
        className="fill-surface stroke-line"
        strokeWidth="2"
      />
      <path
        d="M60 328c60-8 90 8 150 0s120-6 230 2"
        className="fill-transparent stroke-line"
        strokeWidth="2"
      />
      <path d="M250 340h20v60h-20Z" className="fill-line" />
      <g>
        <ellipse
          cx="235"
          cy="316"
          rx="112"
          ry="13"
          className="fill-surface stroke-line"
          strokeWidth="2"
        />
        <path
          d="M318 222h18c40 0 40 66 0 66h-26"
          className="fill-transparent stroke-surface"
          strokeWidth="16"
        />
        <path
          d="M318 222h18c40 0 40 66 0 66h-26"
          className="fill-transparent stroke-line"
          strokeWidth="2"
        />
        <path
          d="M146 194h180l-15 84c-5 24-22 36-46 36h-58c-24 0-41-12-46-36Z"
          className="fill-surface stroke-line"
          strokeWidth="2"
        />
        <path d="M152 232h168l-4 24H156Z" className="fill-pandan" />
        <path
          d="m170 244 8-8 8 8-8 8Zm36 0 8-8 8 8-8 8Zm36 0 8-8 8 8-8 8Zm36 0 8-8 8 8-8 8Z"
          className="fill-surface"
        />
        <ellipse
          cx="236"
          cy="194"
          rx="90"
          ry="16"
          className="fill-surface stroke-line"
          strokeWidth="2"
        />
        <ellipse cx="236" cy="196" rx="77" ry="11" className="fill-roast-strong" />
        <path
          d="M205 168c-14-20 14-30 0-52M236 164c-14-20 14-30 0-52m31 56c-14-20 14-30 0-52"
          className="steam fill-transparent stroke-line-strong"
          strokeWidth="5"
          strokeLinecap="round"
        />
      </g>
      <g>
        <rect x="372" y="262" width="70" height="56" rx="6" className="fill-roast" />
        <path d="M372 280h70v10h-70Z" className="fill-gold-soft" />
        <path d="M386 262c-6-34 8-60 20-70 14 14 26 36 22 70" className="fill-pandan" />
        <path
          d="M398 262c-20-18-34-20-46-16 8 12 22 18 46 16Zm20 0c16-20 32-24 46-18-8 14-24 20-46 18Z"
          className="fill-pandan"
          opacity="0.75"
        />
      </g>
    </svg>
  );
}
