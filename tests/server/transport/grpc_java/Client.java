import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Asks a model server what a client of grpc-java may ask, and prints each answer as a line of JSON.
 *
 * <p>Arguments: host:port, a file with a PredictRequest that is quick, and one with a slow one.
 */
public class Client {
  private static final String PREDICT = "tensorflow.serving.PredictionService/Predict";
  private static final String WATCH = "grpc.health.v1.Health/Watch";
  private static final String REFLECT =
      "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  // A ServerReflectionRequest with list_services, field 7, an empty text.
  private static final byte[] LIST_SERVICES = {0x3a, 0};

  /** Messages as they are. */
  private enum Raw implements MethodDescriptor.Marshaller<byte[]> {
    BYTES;

    @Override
    public InputStream stream(byte[] message) {
      return new ByteArrayInputStream(message);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new IllegalStateException(error);
      }
    }
  }

  /** What is told of a call: its messages, then its status. */
  private static final class Told extends ClientCall.Listener<byte[]> {
    final BlockingQueue<Object> queue = new LinkedBlockingQueue<>();

    @Override
    public void onMessage(byte[] message) {
      queue.add(message);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      queue.add(status);
    }

    Object next() throws InterruptedException {
      Object told = queue.poll(60, TimeUnit.SECONDS);
      return told == null ? Status.UNKNOWN.withDescription("nothing came") : told;
    }
  }

  private final ManagedChannel channel;

  private Client(ManagedChannel channel) {
    this.channel = channel;
  }

  public static void main(String[] arguments) throws Exception {
    byte[] quick = Files.readAllBytes(Path.of(arguments[1]));
    byte[] slow = Files.readAllBytes(Path.of(arguments[2]));
    ManagedChannel channel = NettyChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    Client client = new Client(channel);
    CallOptions patient = CallOptions.DEFAULT.withDeadlineAfter(60, TimeUnit.SECONDS);
    client.unary("predict", PREDICT, quick, patient);
    client.unary("gzip", PREDICT, quick, patient.withCompression("gzip"));
    client.unary("no message", PREDICT, new byte[] {(byte) 0xff}, patient);
    client.unary("unknown", "tensorflow.serving.PredictionService/Guess", quick, patient);
    client.many(quick, patient);
    client.unary(
        "deadline", PREDICT, slow, CallOptions.DEFAULT.withDeadlineAfter(50, TimeUnit.MILLISECONDS));
    client.cancel(slow);
    client.watch();
    client.reflect();
    client.unary("after all", PREDICT, quick, patient);
    channel.shutdownNow().awaitTermination(60, TimeUnit.SECONDS);
  }

  private ClientCall<byte[], byte[]> call(
      String method, MethodDescriptor.MethodType type, CallOptions options, Told told) {
    MethodDescriptor<byte[], byte[]> descriptor =
        MethodDescriptor.newBuilder(Raw.BYTES, Raw.BYTES)
            .setType(type)
            .setFullMethodName(method)
            .build();
    ClientCall<byte[], byte[]> call = channel.newCall(descriptor, options);
    call.start(told, new Metadata());
    call.setMessageCompression(options.getCompressor() != null);
    call.request(Integer.MAX_VALUE);
    return call;
  }

  private Told begun(String method, byte[] message, CallOptions options) {
    Told told = new Told();
    ClientCall<byte[], byte[]> call = call(method, MethodDescriptor.MethodType.UNARY, options, told);
    call.sendMessage(message);
    call.halfClose();
    return told;
  }

  private void unary(String asked, String method, byte[] message, CallOptions options)
      throws InterruptedException {
    print(asked, begun(method, message, options));
  }

  private void many(byte[] message, CallOptions options) throws InterruptedException {
    Told[] all = new Told[100];
    for (int i = 0; i < all.length; i++) {
      all[i] = begun(PREDICT, message, options);
    }
    for (int i = 1; i < all.length; i++) {
      Object first = all[i].next();
      if (!(first instanceof byte[])) {
        print("many", (Status) first, "");
        return;
      }
    }
    print("many", all[0]);
  }

  private void cancel(byte[] message) throws InterruptedException {
    Told told = new Told();
    ClientCall<byte[], byte[]> call =
        call(PREDICT, MethodDescriptor.MethodType.UNARY, CallOptions.DEFAULT, told);
    call.sendMessage(message);
    call.halfClose();
    Thread.sleep(50);
    call.cancel("not needed any more", null);
    print("cancel", told);
  }

  private void watch() throws InterruptedException {
    Told told = new Told();
    ClientCall<byte[], byte[]> call =
        call(WATCH, MethodDescriptor.MethodType.SERVER_STREAMING, CallOptions.DEFAULT, told);
    call.sendMessage(new byte[0]);
    call.halfClose();
    Object first = told.next();
    boolean isServing = first instanceof byte[] message && message.length == 2 && message[1] == 1;
    print("watch", first instanceof Status status ? status : Status.OK, isServing ? "SERVING" : "");
    call.cancel("seen", null);
    print("watch, left", told);
  }

  private void reflect() throws InterruptedException {
    Told told = new Told();
    ClientCall<byte[], byte[]> call =
        call(REFLECT, MethodDescriptor.MethodType.BIDI_STREAMING, CallOptions.DEFAULT, told);
    String service = "tensorflow.serving.PredictionService";
    for (int i = 0; i < 2; i++) {
      call.sendMessage(LIST_SERVICES);
      Object answer = told.next();
      boolean isListed = answer instanceof byte[] message && new String(message).contains(service);
      print("reflect", answer instanceof Status status ? status : Status.OK, isListed ? service : "");
    }
    call.halfClose();
    print("reflect, ended", told);
  }

  private static void print(String asked, Told told) throws InterruptedException {
    String answer = "";
    Object each = told.next();
    while (each instanceof byte[] message) {
      answer = HexFormat.of().formatHex(message);
      each = told.next();
    }
    print(asked, (Status) each, answer);
  }

  private static void print(String asked, Status status, String answer) {
    String details = status.getDescription() == null ? "" : status.getDescription();
    // No text here has quotes or backslashes.
    System.out.printf(
        "{\"asked\": \"%s\", \"code\": %d, \"details\": \"%s\", \"answer\": \"%s\"}%n",
        asked, status.getCode().value(), details.replace('"', '\'').replace('\n', ' '), answer);
  }
}
