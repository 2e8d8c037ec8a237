package bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * The peer: counts logins by the values of some fields, exactly once, as one writes it in the DSL of Kafka Streams. Everything
 * comes from the environment. What it is doing it says on standard output, a JSON object per line.
 */
public final class CountLogins {
    private static final byte[] NOTHING = new byte[0];

    public static void main(String[] arguments) throws InterruptedException {
        String[] fields = setting("DIMENSIONS", "locale,device_type,app_version").split(",");
        for (int index = 0; index < fields.length; index++) fields[index] = fields[index].intern();

        KafkaStreams streams = new KafkaStreams(topology(fields).build(), properties());
        CountDownLatch ended = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            say("state", "\"state\":\"" + now + "\"");
            if (now == KafkaStreams.State.ERROR || now == KafkaStreams.State.NOT_RUNNING) ended.countDown();
        });
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setGlobalStateRestoreListener(new RestoreReport());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
        streams.start();
        ended.await();
    }

    private static StreamsBuilder topology(String[] fields) {
        Serde<byte[]> bytes = Serdes.ByteArray();
        Serde<String> text = Serdes.String();
        StreamsBuilder builder = new StreamsBuilder();
        KStream<byte[], Login> logins = builder
            .stream(setting("INPUT_TOPIC", "user-login"), Consumed.with(bytes, bytes))
            .mapValues(value -> Login.parse(value, fields));

        String enriched = setting("ENRICHED_TOPIC", "");
        if (!enriched.isEmpty()) logins.mapValues(Login::enriched).to(enriched, Produced.with(bytes, bytes));

        logins
            .flatMap((key, login) -> {
                List<KeyValue<String, byte[]>> keys = new ArrayList<>(fields.length);
                for (int index = 0; index < fields.length; index++) keys.add(KeyValue.pair(login.key(fields, index), NOTHING));
                return keys;
            })
            .groupByKey(Grouped.with("counts", text, bytes))
            .count(Materialized.as("counts"))
            .toStream()
            .mapValues(count -> Long.toString(count))
            .to(setting("OUTPUT_TOPIC", "login-stats"), Produced.with(text, text));
        return builder;
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, setting("APP_ID", "login-stats"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, setting("KAFKA_BROKERS", "localhost:9092"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, setting("STATE_DIR", "state"));
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, setting("THREADS", "2"));
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, setting("COMMIT_INTERVAL_MS", "100"));
        properties.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "-1");
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.toString(256L << 20));
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), "10000");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), Integer.toString(4 << 20));
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), "20");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), Integer.toString(256 << 10));
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), setting("COMPRESSION", "lz4"));
        String instance = setting("GROUP_INSTANCE_ID", "");
        if (!instance.isEmpty()) {
            properties.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), instance);
        }
        return properties;
    }

    private static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    /** `fields` are members of a JSON object. */
    static void say(String message, String fields) {
        System.out.println("{\"msg\":\"" + message + "\",\"time\":" + System.currentTimeMillis() + "," + fields + "}");
    }

    private static final class RestoreReport implements StateRestoreListener {
        @Override
        public void onRestoreStart(TopicPartition partition, String store, long start, long end) {
            say("restore started", "\"partition\":" + partition.partition());
        }

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long end, long count) {}

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long total) {
            say("restored", "\"partition\":" + partition.partition() + ",\"records\":" + total);
        }
    }
}
