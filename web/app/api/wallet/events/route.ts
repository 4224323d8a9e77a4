// The live stream of the viewer's wallet.
import { WalletLiveDocument } from '@/graphql/generated';
import { openOwnStream } from '@/graphql/own-stream';

export const dynamic = 'force-dynamic';

export async function GET(request: Request): Promise<Response> {
  return openOwnStream(request, WalletLiveDocument, {});
}
