import { pictureResponse } from '@/features/illustration/respond';

export async function GET(
  _: Request,
  { params }: { params: Promise<{ file: string }> },
): Promise<Response> {
  return pictureResponse((await params).file);
}
