// The live stream of one order.
import { OrderLiveDocument } from '@/graphql/generated';
import { openOwnStream } from '@/graphql/own-stream';

export const dynamic = 'force-dynamic';

export async function GET(
  request: Request,
  { params }: { params: Promise<{ id: string }> },
): Promise<Response> {
  return openOwnStream(request, OrderLiveDocument, await params);
}
