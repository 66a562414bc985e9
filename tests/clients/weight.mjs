// What a page weighs: the bytes that the browser was sent for it and for all that belongs to it.

/** No page may weigh more. */
export const MOST_BYTES = 1_500_000;

/** Weighs what a page loads from now on, with nothing kept from before. */
export async function weighed(page) {
  const session = await page.context().newCDPSession(page);
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; });
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  return async () => {
    await session.detach();
    return bytes;
  };
}
