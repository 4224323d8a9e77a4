/** The kopi cup: thick rim, leaf band, steam. */
export function Logo() {
  return (
    <span className="inline-flex items-center gap-2.5">
      <svg viewBox="0 0 40 40" className="size-9" aria-hidden="true">
        <rect width="40" height="40" rx="12" className="fill-roast" />
        <g
          className="stroke-on-roast"
          fill="none"
          strokeWidth="2"
          strokeLinecap="round"
          strokeLinejoin="round"
        >
          <path d="M9.5 17h18l-1.5 9.5a4.5 4.5 0 0 1-4.5 4H15.5a4.5 4.5 0 0 1-4.5-4L9.5 17Z" />
          <path d="M27 19.5h1.5a3.5 3.5 0 0 1 0 7h-2" />
          <path d="M15.5 13c-1.5-2 1.5-3 0-5.5M21.5 13c-1.5-2 1.5-3 0-5.5" />
          <path d="M11.5 22.5h14" strokeDasharray="1 3.2" />
        </g>
      </svg>
      <span className="font-display text-[1.45rem] font-semibold tracking-tight">Kopitiam</span>
    </span>
  );
}
