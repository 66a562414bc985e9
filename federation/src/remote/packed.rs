//! Refuses Arrow messages with compressed buffers: each says itself how much memory it unpacks to, and a decoder that
//! believes a terabyte ends the process.

use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use futures::{Stream, TryStreamExt, future};
use tonic::Status;

/// The messages of somebody else, up to the first that is compressed. Nodes send none that are.
pub fn unpacked(
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
) -> impl Stream<Item = Result<FlightData, FlightError>> + Send + 'static {
    let messages = messages.map_err(|status| FlightError::Tonic(Box::new(status)));
    messages.and_then(|message| {
        future::ready(if is_packed(&message) {
            Err(FlightError::DecodeError("its buffers are compressed: send them as they are".into()))
        } else {
            Ok(message)
        })
    })
}

/// Whether the header says so; one that can't be read is the decoder's to refuse.
fn is_packed(message: &FlightData) -> bool {
    let Ok(header) = arrow::ipc::root_as_message(&message.data_header) else { return false };
    let of_dictionary = || header.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let batch = header.header_as_record_batch().or_else(of_dictionary);
    batch.is_some_and(|batch| batch.compression().is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::IpcWriteOptions;
    use arrow_flight::encode::FlightDataEncoderBuilder;
    use futures::stream;

    use super::*;

    async fn arrived(compression: Option<CompressionType>) -> Result<Vec<FlightData>, FlightError> {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["Camden"; 500]));
        let batch = RecordBatch::try_from_iter([("name", column)]).unwrap();
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let sent = FlightDataEncoderBuilder::new().with_options(options).build(stream::iter([Ok(batch)]));
        unpacked(sent.map_err(Status::from)).try_collect().await
    }

    #[tokio::test]
    async fn compressed_messages_are_refused_before_they_are_unpacked() {
        assert_eq!(arrived(None).await.unwrap().len(), 2);
        for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
            assert!(matches!(arrived(Some(compression)).await, Err(FlightError::DecodeError(_))));
        }
    }
}
