'use client';
import './globals.css';

/** When even the layout fails: no header, no data, just a way back. */
export default function GlobalError() {
  return (
    <html lang="en">
      <body>
        <main className="shell grid justify-items-center gap-4 py-24 text-center">
          <h1 className="text-3xl">Kopitiam is closed for a moment</h1>
          <p className="text-muted">Please try again shortly.</p>
          {/* A plain link: the page around it cannot be trusted to navigate. */}
          <a href="" className="button button-primary">
            Try again
          </a>
        </main>
      </body>
    </html>
  );
}
